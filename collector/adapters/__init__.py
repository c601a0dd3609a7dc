"""Other products' wire formats, translated to native events: Plausible's events API and Aptabase's ingestion."""
