"""SOAP 1.1 and 1.2 services described by a WSDL."""
