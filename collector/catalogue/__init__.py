"""What may be counted: the declarations of schemas/ and the properties of the configuration."""
