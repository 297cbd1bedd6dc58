"""What the two compiled back ends for CPUs share."""
