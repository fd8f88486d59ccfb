"""Floor 3: the record of what was decided, in a form that anyone can check offline."""
