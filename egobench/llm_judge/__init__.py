"""Open answers judged by a language model: the rubric, the client, the scores."""
