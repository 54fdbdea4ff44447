"""Galleries: embeddings of clips and texts, tables of scores, and a retriever's best texts scored again."""
