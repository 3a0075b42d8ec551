"""Amazon Web Services through boto3: sessions, errors, what there is (inventory), and what can be changed."""
