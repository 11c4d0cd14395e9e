import './styles/deck.css'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { applyTheme } from './browser/preferences.ts'

applyTheme()
const place = document.getElementById('deck')
if (place !== null) createRoot(place).render(<App />)
