"""Frames decoded in one pass per file, kept on disk without loss, and read at random by any number of processes.

A frame is known by its content: the hash of its video, its number in order of display, decoder, resizer and size. So a
store serves whatever asks for these frames next, and a video may be copied or renamed. Frames that clips share are
stored once.
"""
