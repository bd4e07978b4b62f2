"""Where dataset versions lie: objects in a folder or in S3, shards of Parquet, the manifest that vouches for them."""
