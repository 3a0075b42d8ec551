"""Cloud Custodian policies: YAML or JSON `filters` to rule trees, with the meaning c7n gives them."""
