export {CacheLayer, External, type Operand, Slot, Value, Weight} from './operand.js';
export {printOps} from './print.js';
export {Program, type ProgramLimits, weightsOf} from './program.js';
export {type Attributes, type RecordedOp, Recorder, record} from './recorder.js';
export {type Dim, type Shape, shapeText, width} from './shape.js';
export {type WeightProgress, WeightStore} from './weights.js';
