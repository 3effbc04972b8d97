"""Who may do what on a site's broker, and the Mosquitto files that say so."""
