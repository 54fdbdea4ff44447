"""What the commands do: everything between the command line and the library that prints, asks for folders, or times."""
