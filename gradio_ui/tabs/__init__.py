"""The tabs of the page, each in its own module or folder."""
