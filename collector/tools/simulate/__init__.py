"""Made-up traffic of the registered sites and programs, and what the reports must say of it (`collector simulate`).

world      who calls from where, with what: people, weighted
visitors   what people do on one site        fleet     what the installations of one program do
releases   which version is out when         days      all of them together, day by day
requests   what is sent                      truth     what the reports must say, counted by no code of the collector's
history    days that are over, into a data directory   sending   now, to a collector that runs
"""
