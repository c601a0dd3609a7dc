"""What the collector is made of (`make sbom`), and whether any of it is known to be bad (`make audit`)."""
