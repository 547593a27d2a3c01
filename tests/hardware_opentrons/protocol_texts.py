"""Protocols made by hand, as small as they can be."""

GOOD = """
metadata = {"protocolName": "one transfer"}
requirements = {"robotType": "OT-2", "apiLevel": "2.19"}

def run(protocol):
    plate = protocol.load_labware("corning_96_wellplate_360ul_flat", "2", "plate")
    tips = protocol.load_labware("opentrons_96_tiprack_20ul", "5")
    pipette = protocol.load_instrument("p20_single_gen2", "left", tip_racks=[tips])
    pipette.pick_up_tip(tips["A1"])
    pipette.aspirate(5, plate["A1"].bottom(1))
    pipette.dispense(5, plate["B1"].bottom(1))
    pipette.drop_tip()
"""
NO_SUCH_WELL = GOOD.replace('plate["B1"]', 'plate["Z9"]')
NO_PYTHON = "def run(protocol:"
DEADLY = "import os\n" + GOOD.replace("pipette.drop_tip()", "os._exit(3)")
ENDLESS = GOOD.replace("pipette.drop_tip()", "import threading; threading.Event().wait()")
CHATTY = GOOD.replace("pipette.drop_tip()", "pipette.drop_tip(); print('{}'); import sys; sys.stdout.flush()")
