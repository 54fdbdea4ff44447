"""The commands of the command line, one module each: they parse options and print what the library returns."""
