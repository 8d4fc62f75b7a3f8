"""One file for each step, in order; a step that was ever shipped is never changed again."""
