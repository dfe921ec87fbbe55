"""Leave one out: each user's last item is the test, the one before it the validation, the rest is learnt."""
