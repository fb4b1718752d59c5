"""What every dialect needs around its routes: the table, guards, bodies, errors, headers, the OpenAPI document."""
