"""The networks themselves: the encoder of our own, recurrent and convolutional ones, and encoders of transformers."""
