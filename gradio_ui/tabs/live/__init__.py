"""The tab *Live*: streams of texts that the platform takes in, watched while they are classified."""
