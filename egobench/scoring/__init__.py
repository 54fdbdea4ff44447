"""From predictions to scores: every number of a run is derived from its rows."""
