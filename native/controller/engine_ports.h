/* The engine's ports over the real forests and the fleet. */
#ifndef UMX_CONTROLLER_ENGINE_PORTS_H
#define UMX_CONTROLLER_ENGINE_PORTS_H

#include "controller/controller.h"
#include "controller/engine.h"

/* One set a process: the controller is the only one. */
const struct umx_engine_ports *umx_controller_ports(struct umx_controller *controller);

#endif
