"""A run between its beginnings: its folder and lease, the room and storage that it asks for, how it recovers."""
