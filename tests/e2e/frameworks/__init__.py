"""Programs that call Lockgate with frameworks and agents built on the SDKs, each in an environment of its own."""
