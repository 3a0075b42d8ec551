"""No table of this room is its own yet: the history's models belong to findings and actions."""
