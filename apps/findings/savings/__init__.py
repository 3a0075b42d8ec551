"""What can be saved: detectors in the policy languages themselves, priced by the tenant's own bills."""
