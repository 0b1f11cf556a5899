"""Looking for what is wrong with the data set itself: labels that do not fit, images twice over."""
