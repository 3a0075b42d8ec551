"""Moving an action on: what its job does in each state. Claimed in one transaction, the cloud called in none,
recorded in another."""
