# Who may do what: every call of the table of routes, made by everybody there
# is.  A row for each call, a column for each caller; a call without a row
# fails.  A refused call changes no key.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;

# own owns the group; mem is a member; out never was; gone was one; nobody has
# an empty im_user; for: a trusted caller for own; bad: one for out; forge: mem
# in the name of own.  "-": nobody is named in the body, so nobody can be forged.

my @WHO = qw(own mem out gone nobody for bad forge);

# Rows are CALL or CALL@CASE.  Each has the codes in the order of @WHO, the path
# and a function of (who acts, the names, the ids of the group and the 1:1 of
# own and mem, the newest messages in them of own, mem and gone).

my $all    = 'ok         ok         ok             ok             forbidden ok         ok         forbidden';
my $inside = 'ok         ok         not_member     not_member     forbidden ok         not_member forbidden';
my $owner  = 'ok         forbidden  not_member     not_member     forbidden ok         not_member forbidden';
my $two    = 'ok         ok         conv_not_found conv_not_found forbidden ok         not_member forbidden';
my $notg   = 'not_group  not_group  conv_not_found conv_not_found forbidden not_group  not_member forbidden';

my %ROW = (
    conv_list   => [ $all, 'conv/list', sub { { from_id => $_[0] } } ],
    unread      => [ $all, 'unread', sub { { from_id => $_[0] } } ],
    pair_page   => [ $all, 'from/to', sub { { from_id => $_[0], to_id => 'pal' } } ],
    user_set    => [ $all, 'user/set', sub { { users => [ { id => $_[0], name => 'x' } ] } } ],
    'user_set@two' => [ 'forbidden forbidden forbidden forbidden forbidden ok ok forbidden',
                     'user/set', sub { { users => [ map { { id => $_, name => 'x' } } $_[0], 'pal' ] } } ],
    user_online => [ 'ok ok ok ok forbidden ok ok -', 'user/online', sub { { ids => [ $_[1]{own} ] } } ],
    user_get    => [ 'ok ok ok ok forbidden ok ok -', 'user/get', sub { { ids => [ $_[1]{own} ] } } ],

    send        => [ $inside, 'send/msg', sub { { from_id => $_[0], conv_id => $_[2], msg => 'x', msg_type => 0 } } ],
    'send@new'  => [ $all, 'send/msg', sub { { from_id => $_[0], to_id => 'pal', msg => 'x', msg_type => 0 } } ],
    'send@pair' => [ $two, 'send/msg', sub { { from_id => $_[0], conv_id => $_[3], msg => 'x', msg_type => 0 } } ],

    conv_page   => [ $inside, sub { "conv/$_[2]" }, sub { { from_id => $_[0] } } ],
    'conv_page@viewer' => [ 'ok ok not_member not_member forbidden ok ok -', sub { "conv/$_[2]" }, sub { {} } ],
    'conv_page@pair' => [ $two, sub { "conv/$_[3]" }, sub { { from_id => $_[0] } } ],
    'conv_page@pair_viewer' => [ 'ok ok conv_not_found conv_not_found forbidden ok ok -', sub { "conv/$_[3]" }, sub { {} } ],
    'conv_page@before' => [ $inside, sub { "conv/$_[2]" }, sub { { from_id => $_[0], before => $_[4] } } ],
    conv_read   => [ $inside, sub { "conv/$_[2]/read" }, sub { { from_id => $_[0] } } ],
    'conv_read@pair' => [ $two, sub { "conv/$_[3]/read" }, sub { { from_id => $_[0] } } ],
    conv_hide   => [ $inside, sub { "conv/$_[2]/hide" }, sub { { from_id => $_[0] } } ],
    'conv_hide@pair' => [ $two, sub { "conv/$_[3]/hide" }, sub { { from_id => $_[0] } } ],
    conv_typing => [ $inside, sub { "conv/$_[2]/typing" }, sub { { from_id => $_[0] } } ],
    'conv_typing@pair' => [ $two, sub { "conv/$_[3]/typing" }, sub { { from_id => $_[0] } } ],
    conv_readers => [ $inside, sub { "conv/$_[2]/readers" }, sub { { from_id => $_[0] } } ],
    'conv_readers@viewer' => [ 'ok ok not_member not_member forbidden ok ok -', sub { "conv/$_[2]/readers" }, sub { {} } ],
    'conv_readers@pair' => [ $two, sub { "conv/$_[3]/readers" }, sub { { from_id => $_[0] } } ],

    recall      => [ $owner, 'msg/recall', sub { { from_id => $_[0], conv_id => $_[2], msg_id => $_[6] } } ],
    'recall@own' => [ $inside, 'msg/recall',
                     sub { { from_id => $_[0], conv_id => $_[2],
                             msg_id => $_[0] eq $_[1]{mem} ? $_[5] : $_[0] eq $_[1]{gone} ? $_[6] : $_[4] } } ],
    'recall@pair' => [ 'forbidden ok conv_not_found conv_not_found forbidden forbidden not_member forbidden', 'msg/recall',
                     sub { { from_id => $_[0], conv_id => $_[3], msg_id => $_[7] } } ],

    group_create => [ $all, 'creat/group', sub { { owner_id => $_[0], name => 'g', member => ['pal'] } } ],
    'group_create@id' => [ 'forbidden forbidden forbidden forbidden forbidden ok ok forbidden', 'creat/group',
                     sub { { owner_id => $_[0], name => 'g', conv_id => "$_[2].new" } } ],
    group_add   => [ 'ok ok not_member not_member forbidden ok ok -', 'add/group/merber',
                     sub { { conv_id => $_[2], member => ['pal'] } } ],
    'group_add@pair' => [ 'not_group not_group conv_not_found conv_not_found forbidden not_group not_group -', 'add/group/merber',
                     sub { { conv_id => $_[3], member => ['pal'] } } ],
    group_list  => [ 'ok ok not_member not_member forbidden ok ok -', sub { "group/$_[2]/list" }, sub { {} } ],
    'group_list@pair' => [ 'not_group not_group conv_not_found conv_not_found forbidden not_group not_group -',
                     sub { "group/$_[3]/list" }, sub { {} } ],
    group_alias => [ $inside, sub { "group/$_[2]/alias" }, sub { { id => $_[0], alias => 'x' } } ],
    'group_alias@mem' => [ 'ok ok not_member not_member forbidden ok ok -', sub { "group/$_[2]/alias" },
                     sub { { id => $_[1]{mem}, alias => 'x' } } ],
    'group_alias@own' => [ 'ok forbidden not_member not_member forbidden ok ok -', sub { "group/$_[2]/alias" },
                     sub { { id => $_[1]{own}, alias => 'x' } } ],
    group_set   => [ $owner, sub { "group/$_[2]/set" }, sub { { from_id => $_[0], name => 'y' } } ],
    'group_set@pair' => [ $notg, sub { "group/$_[3]/set" }, sub { { from_id => $_[0], name => 'y' } } ],
    group_leave => [ 'is_owner ok not_member not_member forbidden is_owner not_member forbidden',
                     sub { "group/$_[2]/leave" }, sub { { from_id => $_[0] } } ],
    'group_leave@pair' => [ $notg, sub { "group/$_[3]/leave" }, sub { { from_id => $_[0] } } ],
    group_remove => [ $owner, sub { "group/$_[2]/remove" }, sub { { from_id => $_[0], member => [ $_[1]{mate} ] } } ],
    group_transfer => [ $owner, sub { "group/$_[2]/transfer" }, sub { { from_id => $_[0], to_id => $_[1]{mate} } } ],
    group_dismiss => [ $owner, sub { "group/$_[2]/dismiss" }, sub { { from_id => $_[0] } } ],
    import      => [ 'forbidden forbidden forbidden forbidden forbidden ok ok -', 'import',
                     sub { { conv_id => "$_[2].old", conv_type => 1, conv_users => [ $_[0], 'pal' ], messages => [] } } ],
    'import@pair' => [ 'forbidden forbidden forbidden forbidden forbidden ok ok -', 'import',
                     sub { { conv_id => "$_[2].old", conv_type => 0, conv_users => [ $_[0], 'pal' ], messages => [] } } ],
    'group_dismiss@pair' => [ $notg, sub { "group/$_[3]/dismiss" }, sub { { from_id => $_[0] } } ],
);

my @calls = slurp("$Test::IM::ROOT/src/api/ngx_http_im_route.c") =~ /^ +row\((\w+), "/mg;
cmp_ok(@calls, '>=', 20, 'the table of routes is read');
is_deeply([ grep { !$ROW{$_} } @calls ], [], 'every call has a row');
is_deeply([ grep { my ($call) = /^(\w+)/; !grep { $_ eq $call } @calls } sort keys %ROW ], [], 'every row is of a call');

my $t = Test::IM->new(
    log_format => '$im_call $im_code',
    conf_server => <<'CONF',
        location /who/ { im_pass store; im_user $http_x_user; im_trusted $http_x_trusted; im_import on; }
CONF
)->start;

my $n = 0;
my %tried;

for my $row (sort keys %ROW) {
    my ($codes, $path, $body) = @{ $ROW{$row} };
    my @codes = split ' ', $codes;
    my ($call) = $row =~ /^(\w+)/;

    subtest $row => sub {
        is(@codes, @WHO, 'a code for everybody');

        for my $i (0 .. $#WHO) {
            my ($who, $code) = ($WHO[$i], $codes[$i]);
            next if $code eq '-';

            # names of its own, as some things are cached

            $t->redis('FLUSHALL');
            $n++;
            my %name = map { $_ => "$_.$n" } qw(own mem mate out gone);
            my $g = $t->group($name{own}, [ @name{qw(mem mate gone)} ], conv_id => "g.$n");
            my @msg = map { $t->say_in($name{$_}, $g, "of $_")->msg_id } qw(own mem gone);
            $t->call("/im/group/$g/remove", { from_id => $name{own}, member => [ $name{gone} ] });
            $t->say($name{own}, $name{mem}, 'hello');
            my $pair = $t->say($name{mem}, $name{own}, 'hello');

            my $acts = { nobody => 'mem', for => 'own', bad => 'out', forge => 'own' }->{$who} // $who;
            my @of = ($name{$acts}, \%name, $g, $pair->conv_id, @msg, $pair->msg_id);
            my $user = { nobody => '', forge => 'mem', for => 'own', bad => 'out' }->{$who} // $who;
            my @headers = $who =~ /^(?:for|bad)$/ ? 'X-Trusted: on' : 'X-User: ' . ($name{$user} // '');

            my $before = $code eq 'ok' ? undef : $t->snapshot;
            my $r = $t->post('/who/' . (ref $path ? $path->(@of) : $path), $body->(@of), headers => \@headers);

            is($r->code || 'ok', $code, "$who: code") or diag($r->body);
            is($r->status, $code eq 'ok' ? 200 : $STATUS{$code}, "$who: status");
            is_deeply($t->snapshot, $before, "$who: no key is changed") if $before;
            $tried{$call}++;
        }
    };
}

# the rows are of the calls that they say

$t->poll(5, sub { my @l = $t->access_log =~ /^(?!-)/mg; my $sum = 0; $sum += $_ for values %tried; @l >= $sum });
for my $call (sort keys %tried) {
    my @lines = $t->access_log =~ /^$call \w+$/mg;
    cmp_ok(@lines, '>=', $tried{$call}, "$call was called");
}

$t->done;

done_testing;
