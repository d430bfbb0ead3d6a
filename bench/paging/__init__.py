"""What bench/page.py needs beside the browser."""
