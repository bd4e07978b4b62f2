"""The networks: our own encoder, recurrent and convolutional classifiers, and wrapped encoders of transformers."""
