"""The Ray Serve deployments behind the gateway: Preprocessor, Classifier, Sink. One call is one micro-batch."""
