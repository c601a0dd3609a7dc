// Where the page begins: somebody is signed in, or is asked to.

import { render } from 'preact';
import './style/base.css';
import './style/parts.css';
import './style/shell.css';
import { Gate } from './Gate';

render(<Gate />, document.getElementById('app')!);
