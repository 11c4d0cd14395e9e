// Sets up what is missing, and nothing more.

import { setUp } from './setup.mjs'

await setUp()
