"""The commands of ``exo2ego``: one module each, which parses and prints; the work is done by the library."""
