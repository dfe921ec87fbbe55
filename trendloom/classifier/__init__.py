"""What is this garment? Heads on frozen backbones: trained on labelled photos, calibrated, applied without torch."""
