export { memoryDatagrams, type DatagramWeather } from '../net/memory-datagrams.ts'
export { memory, type Weather } from '../net/memory.ts'
export { drawFaults, type DrawOptions, type Fault, FAULT_KINDS, type FaultKind } from './faults.ts'
export { KeyDisk, type KeyStore, type NodeDisk } from './key-disk.ts'
export type { SimulateOptions } from './plan.ts'
export type { Cluster, Program, Sim } from './sim.ts'
export type { Clock, SimNode, SimProcess } from './sim-node.ts'
export { SimPlatform } from './sim-platform.ts'
export { type Scenario, type SimReport, simulate, SimulationError } from './simulate.ts'
export { Ledger } from './ledger.ts'
export { type Chaos, chaos } from './chaos.ts'
export type { ChaosEvent, ChaosOptions, Toxics } from './chaos-options.ts'
export {
  type CrashKind,
  diskError,
  SimDisk,
  type SimDiskOptions,
  type DiskStep,
  type DiskStepKind,
} from './sim-disk.ts'
