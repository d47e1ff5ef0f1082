"""The witnesses of the log of logs: whom the settings name, how far they have cosigned, what is shown."""
