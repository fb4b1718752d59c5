"""What tests share: servers, factories, waiting."""
