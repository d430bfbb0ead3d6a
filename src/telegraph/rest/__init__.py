"""What the two documented REST APIs (manager's and node's) share: error answers, limits, the server."""
