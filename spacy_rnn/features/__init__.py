"""From words to integers: numpy only, no gradients. Built at initialize, saved with the model."""
