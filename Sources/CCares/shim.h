// As in CEvent's: the features are settled before any other header.
#include <features.h>
#include <ares.h>
