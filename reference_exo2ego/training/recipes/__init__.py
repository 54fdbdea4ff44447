"""Recipes: each module has ``RECIPE``, one typed value that inherits from nothing."""
