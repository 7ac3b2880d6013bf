"""What the end-to-end tests stand on: programs, browsers, and the person who uses them."""
