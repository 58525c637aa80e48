// From here its packages, which can only be imported, are found.
export { createLibp2p } from 'libp2p'
export { multiaddr } from '@multiformats/multiaddr'
export { noise } from '@libp2p/noise'
export { tcp } from '@libp2p/tcp'
export { yamux } from '@libp2p/yamux'
