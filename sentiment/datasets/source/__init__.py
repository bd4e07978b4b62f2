"""Where examples come from: tables, folders, S3; and from a file's labels and languages to the platform's."""
