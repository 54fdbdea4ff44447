"""What a run is: its spec, its parts, the rows that it writes, and the folder that holds them."""
