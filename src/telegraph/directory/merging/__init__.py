"""What several sites changed becomes one state, whatever the order in which they hear of each other. Pure; no clock."""
