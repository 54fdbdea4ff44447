"""As much of lmms-eval 0.7.3 as a process that holds one of its models makes use of, written anew."""
