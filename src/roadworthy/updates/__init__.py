"""Floor 2: releases, campaigns, and the installation in the vehicle."""
