import './tokens.css'
import './base.css'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { applyTheme } from './browser/preferences.ts'

applyTheme()
const root = document.getElementById('deck')
if (root !== null) createRoot(root).render(<App />)
